export { createServer } from './default-server.ts'
export type { Handler, HandlerContext, Handlers, HandleOptions, Server, ServerLimits, ServerOptions } from './server.ts'
