import { exportJWK, generateKeyPair } from 'jose'
import type { JwtAlgorithm, JwtKey } from './options.ts'

export interface GenerateJwtKeyOptions {
  /** @default 'EdDSA' */
  readonly alg?: JwtAlgorithm
  /** @default a random one */
  readonly kid?: string
}

/** A new private key to sign with; keep it where secrets are kept. */
export async function generateJwtKey(options: GenerateJwtKeyOptions = {}): Promise<JwtKey> {
  const { alg = 'EdDSA', kid = crypto.randomUUID() } = options
  const { privateKey } = await generateKeyPair(alg, { extractable: true })
  return { ...(await exportJWK(privateKey)), kid, alg }
}
