/** The only internal part of amqplib that we patch: handshake.ts. */
declare module '*/amqplib/lib/connection.js' {
  export class Connection {
    step(next: (error: Error | null, frame?: object) => void): void;
  }
}
