export type { TcpTransportOptions } from './options.ts'
export { tcpTransport } from './tcp-transport.ts'
