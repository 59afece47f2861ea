import 'reflect-metadata'
import type { webcrypto } from 'node:crypto'
import { cryptoProvider, PemConverter } from '@peculiar/x509'

/** The only kind of key that is made, and that is signed for. */
export const algorithm: { name: string; namedCurve: string; hash: string } = {
  name: 'ECDSA',
  namedCurve: 'P-256',
  hash: 'SHA-256',
}

export type KeyPair = webcrypto.CryptoKeyPair

export function generateKeys(): Promise<KeyPair> {
  return crypto.subtle.generateKey(algorithm, true, ['sign', 'verify']) as Promise<KeyPair>
}

export async function exportKey(key: webcrypto.CryptoKey): Promise<string> {
  return PemConverter.encode(await crypto.subtle.exportKey('pkcs8', key), 'PRIVATE KEY')
}

export function importKey(pem: string): Promise<webcrypto.CryptoKey> {
  const [der] = PemConverter.decode(pem)
  return crypto.subtle.importKey('pkcs8', der as ArrayBuffer, algorithm, true, ['sign'])
}

export async function sign(key: webcrypto.CryptoKey, text: string): Promise<string> {
  const signature = await crypto.subtle.sign(algorithm, key, Buffer.from(text))
  return Buffer.from(signature).toString('base64')
}

/** Whether the holder of a certificate's or root's key has signed `text`. */
export async function isSigned(
  publicKey: { export(): Promise<webcrypto.CryptoKey> },
  text: string,
  signature: string,
): Promise<boolean> {
  try {
    const key = await publicKey.export()
    return await crypto.subtle.verify(
      algorithm,
      key,
      Buffer.from(signature, 'base64'),
      Buffer.from(text),
    )
  } catch {
    // A key of another kind cannot have signed it.
    return false
  }
}

// Node's own, rather than whatever a global polyfill has put there.
cryptoProvider.set(globalThis.crypto)
