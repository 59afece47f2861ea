import { randomBytes } from 'node:crypto'
import type { ClientStream, ServerStream } from '@micro/core/transport'

/** The same bytes as plain numbers would be slow to compare, and `Buffer` is not `Uint8Array`. */
export function sameBytes(one: Uint8Array | undefined, other: Uint8Array | undefined): boolean {
  return one !== undefined && other !== undefined && Buffer.compare(one, other) === 0
}

export function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text)
}

export function textOf(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes)
}

/** Bytes of every kind that a wire could take for something else. */
export const samples: readonly (readonly [name: string, bytes: () => Uint8Array])[] = [
  ['empty', () => new Uint8Array()],
  ['one byte', () => Uint8Array.of(0)],
  ['every byte', () => Uint8Array.from({ length: 256 }, (_, at) => at)],
  ['7,777 random bytes', () => new Uint8Array(randomBytes(7_777))],
  ['1 MiB of random bytes', () => new Uint8Array(randomBytes(1 << 20))],
]

/** Writes all, then says that there are no more. */
export async function send(stream: ClientStream, messages: Iterable<Uint8Array>): Promise<void> {
  for (const message of messages) await stream.write(message)
  await stream.end()
}

export async function readAll(stream: ClientStream | ServerStream): Promise<Uint8Array[]> {
  const messages: Uint8Array[] = []
  for await (const message of stream) messages.push(message)
  return messages
}

/** Work that is awaited later: a case that fails before has no second failure, which nobody hears. */
export function meanwhile<T>(work: Promise<T>): Promise<T> {
  work.catch(() => undefined)
  return work
}

/** Messages that tell their place. */
export function numbered(count: number): Uint8Array[] {
  return Array.from({ length: count }, (_, at) => bytesOf(String(at)))
}

/** What `numbered` numbered. */
export function numbersOf(messages: readonly Uint8Array[]): number[] {
  return messages.map((message) => Number(textOf(message)))
}

export function upTo(count: number): number[] {
  return Array.from({ length: count }, (_, at) => at)
}
