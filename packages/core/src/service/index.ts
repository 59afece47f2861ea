export { createService } from './create-service.ts'
export type {
  Components,
  RegistrationOptions,
  Service,
  ServiceHealth,
  ServiceHooks,
  ServiceOptions,
  ServiceState,
  ShutdownOptions,
} from './service.ts'
