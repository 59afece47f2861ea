export type { Identity, IdentitySupports } from './identity.ts'
export { type MemoryIdentityOptions, memoryIdentity } from './memory-identity.ts'
export { createRenewal, type Lease, type Renewal, type RenewalOptions } from './renewal.ts'
export type { TlsMaterial, TlsSource } from './tls.ts'
