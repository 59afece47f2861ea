import { type Code, MicroError } from '@micro/core/errors'

/** What Redis answers with, by its first word. */
const codes: Readonly<Record<string, Code>> = {
  NOAUTH: 'unauthenticated',
  WRONGPASS: 'unauthenticated',
  NOPERM: 'permission_denied',
  OOM: 'resource_exhausted',
  WRONGTYPE: 'failed_precondition',
  LOADING: 'unavailable',
  READONLY: 'unavailable',
  MASTERDOWN: 'unavailable',
  CLUSTERDOWN: 'unavailable',
  TRYAGAIN: 'unavailable',
  NOREPLICAS: 'unavailable',
  MISCONF: 'unavailable',
  BUSY: 'unavailable',
}

/** As Redis or the connection to it has failed. Whatever is `unavailable` may work later. */
export function fromRedis(error: unknown): MicroError {
  if (MicroError.is(error)) return error
  const { name, message, code } = error as { name?: string; message?: string; code?: string }
  const text = message === undefined || message === '' ? String(code ?? error) : message
  if (name !== 'ReplyError' && name !== 'SimpleError') {
    return new MicroError('unavailable', `Redis cannot be reached: ${text}`, { cause: error })
  }
  const known = codes[/^[A-Z]+/.exec(text)?.[0] ?? '']
  return new MicroError(known ?? 'internal', `Redis: ${text}`, { cause: error })
}

export function isUnknownScript(error: unknown): boolean {
  return error instanceof Error && error.message.startsWith('NOSCRIPT')
}

export function otherPartitions(topic: string, theirs: string, ours: number): MicroError {
  return new MicroError(
    'failed_precondition',
    `topic ${topic}: it has ${theirs} partitions in Redis, and ${ours} here; ` +
      'give the same option partitions everywhere, or use another topic',
  )
}

/** `slowest` is the group that is furthest behind, if one is. */
export function topicFull(
  topic: string,
  partition: number,
  most: number,
  slowest: string | undefined,
): MicroError {
  const where = `topic ${topic}: partition ${partition}`
  return new MicroError(
    'resource_exhausted',
    slowest === undefined
      ? `${where} cannot take so many messages at once; raise option maxLength, which is ${most}`
      : `${where} has no room within ${most} messages (option maxLength), since group ${slowest} ` +
          'has not settled them; let it catch up, raise the limit, or destroy the group',
  )
}

export function tooLarge(bytes: number, most: number): MicroError {
  return new MicroError(
    'resource_exhausted',
    `message: ${bytes} bytes; this broker takes at most ${most} (option maxMessageSize)`,
  )
}
