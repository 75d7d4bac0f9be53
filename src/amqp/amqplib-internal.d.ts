/** The one part of amqplib that handshake.ts changes. */
declare module '*/amqplib/lib/connection.js' {
  export class Connection {
    step(next: (error: Error | null, frame?: object) => void): void;
  }
}
