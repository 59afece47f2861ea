export { grpcTransport } from './grpc-transport.ts'
export type { GrpcTransportOptions } from './options.ts'
