export type {
  CallOptions,
  Client,
  ClientMethod,
  ClientOptions,
  ClientTuning,
  ServiceClient,
  ServiceClientOptions,
} from './client.ts'
export { createClient } from './default-client.ts'
