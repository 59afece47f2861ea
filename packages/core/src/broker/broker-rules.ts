import { MicroError } from '../errors/micro-error.ts'
import type { BrokerMessage } from './broker.ts'

const topicFormat = /^[A-Za-z0-9][A-Za-z0-9._-]{0,248}$/
const headerName = /^[a-z0-9_.-]{1,128}$/
const headerValue = /^[\x20-\x7e]*$/

/** What every backend can carry. @throws `invalid_argument` naming the field. */
export function checkTopic(topic: string, field = 'topic'): void {
  if (topicFormat.test(topic)) return
  throw wrong(field, `${JSON.stringify(topic)}; use up to 249 letters, digits, ".", "_" and "-"`)
}

export function checkGroup(group: string | undefined): void {
  if (group === undefined || topicFormat.test(group)) return
  throw wrong('group', `${JSON.stringify(group)}; use up to 249 letters, digits, ".", "_" and "-"`)
}

export function checkMessages(messages: readonly BrokerMessage[]): void {
  for (const [at, { body, key, headers }] of messages.entries()) {
    const field = `messages[${at}]`
    if (!(body instanceof Uint8Array)) throw wrong(`${field}.body`, 'give a Uint8Array')
    if (!isKey(key)) throw wrong(`${field}.key`, 'give 1 to 512 well-formed characters')
    for (const [name, value] of Object.entries(headers)) {
      if (!headerName.test(name)) {
        throw wrong(
          `${field}.headers`,
          `name ${JSON.stringify(name)}; use a-z, 0-9, "_", "." and "-"`,
        )
      }
      if (!isHeader(name, value)) {
        throw wrong(`${field}.headers.${name}`, 'give at most 8192 printable ASCII characters')
      }
    }
  }
}

export function isKey(key: string | undefined): boolean {
  return key === undefined || (key.length > 0 && key.length <= 512 && key.isWellFormed())
}

export function isHeader(name: string, value: string): boolean {
  if (typeof value !== 'string' || value.length > 8_192) return false
  return headerName.test(name) && headerValue.test(value)
}

export function checkBatch(batch: number | undefined): void {
  if (batch === undefined || (Number.isInteger(batch) && batch >= 1 && batch <= 10_000)) return
  throw wrong('batch', `${batch}; give a whole number from 1 to 10000`)
}

function wrong(field: string, why: string): MicroError {
  return new MicroError('invalid_argument', `${field}: ${why}`)
}
