export {
  currentContext,
  detach,
  handleInContext,
  keepContext,
  runInContext,
  runInRoot,
} from './ambient.ts'
export { Context, type ContextOptions, rootContext } from './context.ts'
export { type ContextKey, createContextKey } from './key.ts'
