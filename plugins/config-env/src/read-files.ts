import { open } from 'node:fs/promises'
import { parseEnv } from 'node:util'
import { MicroError } from '@micro/core/errors'
import { fromFile } from './errors.ts'
import type { Settings } from './options.ts'

export async function readEnvFile(
  file: string,
  settings: Settings,
  signal: AbortSignal | undefined,
): Promise<Record<string, string | undefined>> {
  return parseEnv(await readText(file, file, settings, signal))
}

/** The text of a mounted secret, without the line end that editors and `echo` leave. */
export async function readSecret(
  variable: { readonly name: string; readonly text: string },
  settings: Settings,
  signal: AbortSignal | undefined,
): Promise<string> {
  const what = `${variable.name} (${variable.text})`
  return (await readText(variable.text, what, settings, signal)).replace(/\r?\n$/, '')
}

async function readText(
  file: string,
  what: string,
  { maxFileBytes }: Settings,
  signal: AbortSignal | undefined,
): Promise<string> {
  try {
    await using handle = await open(file, 'r')
    // Not by its stated size, which devices and pipes do not have.
    const buffer = Buffer.alloc(maxFileBytes + 1)
    let length = 0
    while (length < buffer.length) {
      signal?.throwIfAborted()
      const { bytesRead } = await handle.read(buffer, length, buffer.length - length)
      if (bytesRead === 0) break
      length += bytesRead
    }
    if (length > maxFileBytes) {
      throw new MicroError(
        'resource_exhausted',
        `${what}: more than ${maxFileBytes} bytes (maxFileBytes)`,
      )
    }
    return new TextDecoder('utf-8', { fatal: true }).decode(buffer.subarray(0, length))
  } catch (error) {
    signal?.throwIfAborted()
    if (MicroError.is(error)) throw error
    if (error instanceof TypeError) {
      throw new MicroError('invalid_argument', `${what}: it is no UTF-8`, { cause: error })
    }
    throw fromFile(error, what)
  }
}
