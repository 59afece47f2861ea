export { memoryTransport, type MemoryTransportOptions } from './memory-transport.ts'
export { type MemoryNetwork, memoryNetwork } from './memory-network.ts'
export { createMessageQueue, type MessageQueue } from './message-queue.ts'
export type {
  CallHead,
  CallReceiver,
  ClientStream,
  Connection,
  DialOptions,
  Listener,
  Peer,
  ReceivedMethod,
  Reply,
  ServerStream,
  Transport,
} from './transport.ts'
