/**
 * Config from Vault's KV version 2 secrets engine, by token or AppRole.
 *
 * @example vaultSource({ address: 'https://vault.example:8200', path: 'shop', auth: { token } })
 * @packageDocumentation
 */
export type { AppRoleAuth, TokenAuth, VaultSourceOptions } from './options.ts'
export { vaultSource } from './vault-source.ts'
