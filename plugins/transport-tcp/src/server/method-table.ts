import type { CallReceiver, ReceivedMethod } from '@micro/core/transport'
import { protocolError } from '../errors.ts'

export interface Method {
  readonly service: string
  readonly name: string
  readonly contentType: string
  /** `undefined` if there is no such method here. */
  readonly received: ReceivedMethod | undefined
}

const maxMethods = 4_096

/** The methods that a client has numbered. */
export class MethodTable {
  readonly #receiver: CallReceiver
  readonly #methods: Method[] = []

  constructor(receiver: CallReceiver) {
    this.#receiver = receiver
  }

  get(number: number): Method {
    const method = this.#methods[number]
    if (method === undefined) throw protocolError('a request for no method')
    return method
  }

  add(number: number, text: string): void {
    const [service, name, contentType, ...more] = text.split('\0')
    if (service === undefined || name === undefined || contentType === undefined || more.length > 0)
      throw protocolError('a malformed method')
    if (number !== this.#methods.length) throw protocolError('methods are numbered from 0 on')
    if (number >= maxMethods) throw protocolError(`more than ${maxMethods} methods`)
    const received = this.#receiver.find(service, name)
    this.#methods.push({ service, name, contentType, received })
  }
}
