import t from 'tap';
import { endpointOf } from '../../src/amqp/config.js';
import { TLS_RULES } from '../../src/amqp/tls-failure.js';

const endpoint = endpointOf('amqps://u:p@broker.example');

/** As failure.ts reads the rules: the first that matches counts. */
function told(raw: string) {
  const rule = TLS_RULES.find(({ match }) => match.test(raw));
  const found = rule?.match.exec(raw);
  return (
    rule && { kind: rule.kind, permanent: rule.permanent ?? false, text: rule.text(endpoint, found?.[1] ?? raw, '') }
  );
}

t.test('each refusal says on whose side it is, and what to change', async (t) => {
  const cases: readonly (readonly [string, string, RegExp])[] = [
    ['DEPTH_ZERO_SELF_SIGNED_CERT', 'tls-authority', /not signed by an authority that we trust: .* --tls-ca$/],
    ['UNABLE_TO_VERIFY_LEAF_SIGNATURE unable to verify the first certificate', 'tls-authority', /--tls-ca$/],
    ['CERT_HAS_EXPIRED certificate has expired', 'tls-expired', /certificate has expired: ask its administrator/],
    ['CERT_NOT_YET_VALID', 'tls-early', /is not valid yet: check the clock of this host$/],
    ['ERR_TLS_CERT_ALTNAME_INVALID', 'tls-name', /certificate is not valid for "broker\.example": use a name/],
    ['ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED', 'tls-client', /requires a client certificate: give --tls-cert/],
    ['ERR_SSL_TLSV1_ALERT_UNKNOWN_CA', 'tls-client-authority', /does not trust our certificate \(--tls-cert\)/],
    ['ERR_SSL_SSLV3_ALERT_CERTIFICATE_EXPIRED', 'tls-client-expired', /has expired or was revoked: renew it$/],
    [
      'ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE',
      'tls-handshake',
      /refused the handshake: it requires a client certificate/,
    ],
    ['ERR_OSSL_X509_KEY_VALUES_MISMATCH', 'tls-key', /private key of --tls-key does not belong to the certificate/],
    [
      'ERR_SSL_WRONG_VERSION_NUMBER',
      'tls-port',
      /the port does not speak TLS: amqps:\/\/ has its own port, usually 5671/,
    ],
    [
      'Client network socket disconnected before secure TLS connection was established',
      'tls-port',
      /does not speak TLS/,
    ],
    [
      'ERR_OSSL_PEM_BAD_END_LINE',
      'tls-file',
      /cannot be read \(ERR_OSSL_PEM_BAD_END_LINE\): check --tls-cert and --tls-key$/,
    ],
  ];
  for (const [raw, kind, text] of cases) t.match(told(raw), { kind, permanent: true, text }, raw);
});

t.test('what nobody has named is told as it came, on one line', async (t) => {
  t.strictSame(told('EPROTO 40:error:0A000126:SSL routines::odd:../deps/openssl/ssl/rec.c:317:\nmore'), {
    kind: 'tls',
    permanent: false,
    text: 'TLS: EPROTO 40:error:0A000126:SSL routines::odd more: check the CA and the certificate',
  });
  t.equal(told('connect ECONNREFUSED'), undefined, 'another failure is none of TLS');
});
