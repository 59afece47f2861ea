export { createServer } from './default-server.ts'
export type {
  HandleOptions,
  Handler,
  HandlerContext,
  Handlers,
  Server,
  ServerLimits,
  ServerOptions,
} from './server.ts'
