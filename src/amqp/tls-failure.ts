import type { FailureRule } from './failure-rule.js';

/** TLS failures on our side or the broker's, and who has to change what. The codes are those of Node and OpenSSL. */

const act = { permanent: true } as const;

export const TLS_RULES: readonly FailureRule[] = [
  {
    match: /SELF_SIGNED_CERT|UNABLE_TO_(?:VERIFY|GET)|CERT_UNTRUSTED|self-signed|unable to verify|unable to get/,
    kind: 'tls-authority',
    text: () =>
      "TLS: the broker's certificate is not signed by an authority that we trust: give that authority's certificate with --tls-ca",
    ...act,
  },
  {
    match: /CERT_HAS_EXPIRED/,
    kind: 'tls-expired',
    text: () => "TLS: the broker's certificate has expired: ask its administrator, and check the clock of this host",
    ...act,
  },
  {
    match: /CERT_NOT_YET_VALID/,
    kind: 'tls-early',
    text: () => "TLS: the broker's certificate is not valid yet: check the clock of this host",
    ...act,
  },
  {
    match: /ERR_TLS_CERT_ALTNAME_INVALID/,
    kind: 'tls-name',
    text: ({ host }) =>
      `TLS: the broker's certificate is not valid for "${host}": use a name that it is valid for in --uri, or as servername in --rascal-config`,
    ...act,
  },
  {
    match: /ALERT_CERTIFICATE_REQUIRED/,
    kind: 'tls-client',
    text: () => 'TLS: the broker requires a client certificate: give --tls-cert and --tls-key',
    ...act,
  },
  {
    match: /ALERT_UNKNOWN_CA|ALERT_BAD_CERTIFICATE|ALERT_CERTIFICATE_UNKNOWN/,
    kind: 'tls-client-authority',
    text: () =>
      'TLS: the broker does not trust our certificate (--tls-cert): it must be signed by an authority that the broker trusts',
    ...act,
  },
  {
    match: /ALERT_CERTIFICATE_(?:EXPIRED|REVOKED)/,
    kind: 'tls-client-expired',
    text: () => 'TLS: our certificate (--tls-cert) has expired or was revoked: renew it',
    ...act,
  },
  {
    match: /ALERT_HANDSHAKE_FAILURE|ALERT_PROTOCOL_VERSION/,
    kind: 'tls-handshake',
    text: () =>
      'TLS: the broker refused the handshake: it requires a client certificate (--tls-cert, --tls-key), or another TLS version or cipher',
    ...act,
  },
  {
    match: /KEY_VALUES_MISMATCH/,
    kind: 'tls-key',
    text: () => 'TLS: the private key of --tls-key does not belong to the certificate of --tls-cert',
    ...act,
  },
  {
    match: /WRONG_VERSION_NUMBER|packet length too long|before secure TLS connection/,
    kind: 'tls-port',
    text: () => 'TLS: the port does not speak TLS: amqps:// has its own port, usually 5671; without TLS use amqp://',
    ...act,
  },
  {
    match: /ERR_OSSL|PEM|BAD_DECRYPT/,
    kind: 'tls-file',
    text: (_, found) => `TLS: a certificate or key cannot be read (${oneLine(found)}): check --tls-cert and --tls-key`,
    ...act,
  },
  {
    match: /certificate|ERR_TLS|ERR_SSL|EPROTO|SSL/i,
    kind: 'tls',
    text: (_, found) => `TLS: ${oneLine(found)}: check the CA and the certificate`,
  },
];

/** OpenSSL's messages may span lines, and end with the line of its source code. */
function oneLine(text: string): string {
  return text
    .replaceAll(/\s+/g, ' ')
    .replace(/:\.\.\/\S*/, '')
    .trim();
}
