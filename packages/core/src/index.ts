/**
 * What every service's author needs. Stores, locks, config and access control, the contracts, and
 * helpers for authors of plugins are under the subpaths: `@micro/core/store`, `@micro/core/registry`
 * and so on, so that a service loads what it uses.
 *
 * @packageDocumentation
 */
export type {
  Message,
  MessageMiddleware,
  PublishOptions,
  SubscribeOptions,
  Subscription,
} from './broker/messaging.ts'
export { defineTopic, defineUncheckedTopic, type Topic } from './broker/topic.ts'
export type { CallOptions, ServiceClient, ServiceClientOptions } from './client/client.ts'
export type { EjectionOptions } from './client/ejection.ts'
export { jsonCodec } from './codec/json-codec.ts'
export type { AbortOptions, Component, Health } from './component/component.ts'
export { currentContext, detach } from './context/ambient.ts'
export type { Context } from './context/context.ts'
export { type ContextKey, createContextKey } from './context/key.ts'
export { defineService } from './definition/define-service.ts'
export type { Idempotency, Methods, ServiceDefinition } from './definition/definition.ts'
export { bidiStream, clientStream, serverStream, unary } from './definition/methods.ts'
export type { Code } from './errors/codes.ts'
export { type ErrorDetail, type ErrorOrigin, MicroError } from './errors/micro-error.ts'
export { consoleLogger } from './logger/console-logger.ts'
export type { Logger } from './logger/logger.ts'
export { Metadata } from './metadata/metadata.ts'
export { accessLog } from './middleware/access-log.ts'
export { forwardMetadata } from './middleware/forward-metadata.ts'
export type { Call, Middleware } from './middleware/middleware.ts'
export { recovery } from './middleware/recovery.ts'
export { requestId } from './middleware/request-id.ts'
export { retryPolicy } from './policy/retry-policy.ts'
export { randomSelector } from './selector/random-selector.ts'
export type { HandlerContext, Handlers } from './server/server.ts'
export { createService } from './service/create-service.ts'
export type { Service, ServiceHealth, ServiceOptions } from './service/service.ts'
export { type MemoryNetwork, memoryNetwork } from './transport/memory-network.ts'
export { memoryTransport } from './transport/memory-transport.ts'
