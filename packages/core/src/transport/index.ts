export { type MemoryNetwork, memoryNetwork } from './memory-network.ts'
export { type MemoryTransportOptions, memoryTransport } from './memory-transport.ts'
export { createMessageQueue, type MessageQueue } from './message-queue.ts'
export { type CertificateLike, describeCertificate } from './peer-certificate.ts'
export type {
  CallHead,
  CallReceiver,
  ClientStream,
  Connection,
  DialOptions,
  Listener,
  Peer,
  PeerCertificate,
  ReceivedMethod,
  Reply,
  ServerStream,
  Transport,
} from './transport.ts'
export { writeWithRoom } from './write-with-room.ts'
