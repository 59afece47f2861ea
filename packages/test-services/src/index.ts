/** Real servers for tests: found, or started, and ended with the tests that asked for them. */
export { type Authority, makeAuthority, rotatingTls } from './certificates.ts'
export { type RunningServer, startServer } from './server-process.ts'
export { startVault, type Vault, vaultBinary } from './vault.ts'
