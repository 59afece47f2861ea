export type {
  CallOptions,
  Client,
  ClientMethod,
  ClientOptions,
  ServiceClient,
  ServiceClientOptions,
} from './client.ts'
export { createClient } from './default-client.ts'
