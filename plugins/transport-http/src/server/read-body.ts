import { MicroError } from '@micro/core/errors'
import { tooLarge } from '../errors.ts'
import type { Request } from './request.ts'

/** The whole body; no more than `limit` bytes of it are ever held. */
export function readBody(
  request: Request,
  limit: number,
  announced: number | undefined,
): Promise<Buffer> {
  return new Promise<Buffer>((resolve, reject) => {
    if (announced !== undefined && announced > limit) {
      reject(tooLarge(limit, 'request'))
      return
    }
    let first: Buffer | undefined
    let rest: Buffer[] | undefined
    let size = 0
    const onData = (chunk: Buffer): void => {
      size += chunk.length
      if (size > limit) {
        request.off('data', onData)
        reject(tooLarge(limit, 'request'))
      } else if (first === undefined) {
        first = chunk
      } else {
        rest ??= [first]
        rest.push(chunk)
      }
    }
    request.on('data', onData)
    request.on('end', () => {
      if (rest !== undefined) resolve(Buffer.concat(rest, size))
      else resolve(first ?? empty)
    })
    const broken = (cause?: unknown): void =>
      reject(
        new MicroError('cancelled', 'the client went away in the middle of its request', { cause }),
      )
    request.on('error', broken)
    request.on('aborted', broken)
  })
}

const empty = Buffer.alloc(0)
