export { defineService } from './define-service.ts'
export type {
  Idempotency,
  MessageType,
  Method,
  MethodAccess,
  MethodKind,
  MethodOptions,
  Methods,
  SchemaMethodOptions,
  ServiceDefinition,
} from './definition.ts'
export { bidiStream, clientStream, serverStream, unary } from './methods.ts'
