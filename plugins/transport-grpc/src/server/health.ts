import { unrefTimer } from '@micro/core/component'
import { MicroError } from '@micro/core/errors'
import type { CallReceiver, ReceivedMethod, ServerStream } from '@micro/core/transport'
import {
  healthService,
  readHealthRequest,
  type ServingStatus,
  writeHealthResponse,
} from '../wire/health-messages.ts'
import type { Target } from './incoming.ts'

/** Milliseconds between looks at the service's readiness, while somebody watches it. */
const interval = 250

const contentTypes = ['application/proto']

export interface Health {
  readonly targets: readonly Target[]
  /** Ends the watches, so that they hold up nobody who waits for calls to end. */
  drain(): void
}

/** `grpc.health.v1`, fed by the service's readiness. Source: grpc/grpc, doc/health-checking.md. */
export function createHealth(receiver: CallReceiver, draining: () => boolean): Health {
  const watches = new Set<() => void>()

  const statusOf = (service: string): ServingStatus => {
    const known =
      service === '' ||
      service === healthService ||
      [...(receiver.methods?.() ?? [])].some((method) => method.service === service)
    if (!known) return 'service_unknown'
    return receiver.ready && !draining() ? 'serving' : 'not_serving'
  }

  const watch = async (stream: ServerStream, context: CancelContext): Promise<undefined> => {
    const { value } = await stream.next()
    const service = requested(value)
    let told: ServingStatus | undefined
    let wake: (() => void) | undefined
    const stop = context.onCancel(() => wake?.())
    const look = (): void => wake?.()
    const timer = unrefTimer(setInterval(look, interval))
    watches.add(look)
    try {
      for (;;) {
        context.throwIfCancelled()
        const status = statusOf(service)
        if (status !== told) await stream.write(writeHealthResponse(status))
        told = status
        if (draining()) throw new MicroError('unavailable', 'the server is stopping')
        await new Promise<void>((resolve) => {
          wake = resolve
        })
      }
    } finally {
      stop()
      clearInterval(timer)
      watches.delete(look)
    }
  }

  const check: Target = {
    method: methodOf('Check', 'unary'),
    receiver: {
      unary(_head, body) {
        const service = requested(body)
        const status = statusOf(service)
        if (status !== 'service_unknown') return { body: writeHealthResponse(status) }
        throw new MicroError('not_found', `unknown service "${service.slice(0, 200)}"`)
      },
      stream: async () => undefined,
    },
  }
  const watching: Target = {
    method: methodOf('Watch', 'server_stream'),
    receiver: {
      unary: () => ({ body: new Uint8Array() }),
      stream: (_head, stream, context) => watch(stream, context),
    },
  }
  return {
    targets: [check, watching],
    drain() {
      for (const look of watches) look()
    },
  }
}

type CancelContext = Parameters<CallReceiver['stream']>[2]

function methodOf(name: string, kind: ReceivedMethod['kind']): ReceivedMethod {
  return { service: healthService, name, kind, idempotency: 'no_side_effects', contentTypes }
}

function requested(message: Uint8Array | undefined): string {
  const service = message && readHealthRequest(message)
  if (service !== undefined) return service
  throw new MicroError('invalid_argument', 'malformed HealthCheckRequest')
}
