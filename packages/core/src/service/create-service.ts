import { createClient } from '../client/default-client.ts'
import type { Health } from '../component/component.ts'
import { abortable } from '../component/promises.ts'
import { sleep } from '../component/timing.ts'
import { runInRoot } from '../context/ambient.ts'
import { MicroError } from '../errors/micro-error.ts'
import { createRegistrar, type Registrar } from '../registry/registrar.ts'
import type { Node } from '../registry/registry.ts'
import { createServer } from '../server/default-server.ts'
import type { Listener, Transport } from '../transport/transport.ts'
import { describeNodes, requireCodecs } from './announcement.ts'
import { releaseComponent, useComponent } from './component-users.ts'
import type { Components, Service, ServiceOptions, ServiceState } from './service.ts'
import { requireCallers, settle } from './settings.ts'
import { stopOnSignal } from './signals.ts'
import { createSubscriptions } from './subscriptions.ts'
import { tuneParts } from './tuning.ts'
import { createUndoList, type UndoList } from './undo-list.ts'

/**
 * Composes a service. Nothing is connected before `start`.
 *
 * @throws `invalid_argument` naming the option; `failed_precondition` for a component that was built
 * for another generation of its contract.
 */
export function createService<const C extends Components = Record<never, never>>(
  options: ServiceOptions<C>,
): Service<C> {
  const settings = settle(options)
  const { logger, network, remote, local, registry } = settings
  const id = `${options.name}-${crypto.randomUUID().slice(0, 13)}`
  const server = createServer({
    codecs: settings.codecs,
    logger,
    middleware: settings.serverMiddleware,
    limits: options.limits,
  })
  const client = createClient({
    router: settings.router,
    selector: settings.selector,
    policy: settings.policy,
    codecs: settings.codecs,
    transports: remote,
    local: { transport: local, has: (node) => network.find(node) !== undefined },
    middleware: settings.clientMiddleware,
    ejection: options.ejection,
    logger,
  })

  const subscriptions = createSubscriptions(settings.messaging)

  let state: ServiceState = 'new'
  let nodes: readonly Node[] = []
  let registrar: Registrar | undefined
  let stopping: Promise<void> | undefined
  const listeners = new Map<Transport, Listener>()
  const stopped = Promise.withResolvers<void>()
  // `run` reports it; nobody else need listen.
  stopped.promise.catch(() => undefined)
  const undo: UndoList = createUndoList()

  /** Each step with its opposite; taking them back in reverse is the documented shutdown order. */
  const startSteps = async (signal: AbortSignal | undefined): Promise<void> => {
    await options.hooks?.beforeStart?.()
    await undo.step(
      () => undefined,
      () => client.close(),
    )
    for (const component of settings.owned.values()) {
      useComponent(component)
      await undo.step(
        () => undefined,
        () => releaseComponent(component),
      )
      await component.connect({ signal })
    }
    const detach = network.attach(id, server.receiver)
    await undo.step(() => undefined, detach)
    if (remote.length > 0) requireCodecs(server)
    if (server.definitions.size > 0) {
      for (const transport of remote.length === 0 ? [local] : remote) {
        const listener = await transport.listen(server.receiver, { signal })
        await undo.step(
          () => listeners.set(transport, listener),
          () => listener.close(),
        )
      }
    }
    await undo.step(() => undefined, drain)
    await undo.step(
      () => subscriptions.open({ signal }),
      () => drainSubscriptions(),
    )
    nodes = describeNodes(id, options, server, listeners)
    server.setReady(true)
    await register(signal)
    await options.hooks?.afterStart?.()
  }

  const register = async (signal: AbortSignal | undefined): Promise<void> => {
    if (nodes.length === 0) return
    const timeout = options.registration?.timeout ?? 10_000
    const onChange = (change: { registered: boolean; error?: unknown }): void => {
      if (change.registered) logger.log('info', 'registered', { node: id })
      else
        logger.log('warn', 'registering failed; it goes on being tried', {
          node: id,
          error: change.error,
        })
    }
    const made = createRegistrar({ registry, nodes, ttl: options.registration?.ttl, onChange })
    registrar = made
    await undo.step(
      () => undefined,
      async () => {
        registrar = undefined
        server.setReady(false)
        await made.stop({ signal: AbortSignal.timeout(5_000) })
        if (settings.spread > 0) await sleep(settings.spread, { keepAlive: true })
      },
    )
    const expired = AbortSignal.timeout(timeout)
    const either = signal === undefined ? expired : AbortSignal.any([signal, expired])
    try {
      await made.start({ signal: either })
    } catch (error) {
      if (!expired.aborted) throw error
      throw new MicroError(
        'unavailable',
        `registry "${registry.name}" took no registration within ${timeout} ms: ${made.health().detail ?? ''}`,
      )
    }
  }

  /** Refuses new calls, lets running ones end, cancels those that do not in time. */
  const drain = async (): Promise<void> => {
    server.setReady(false)
    const enough = new AbortController()
    // Not unref'd: a stop that is under way is worth the process staying for.
    const timer = setTimeout(() => enough.abort(), settings.drain)
    try {
      const announced = [...listeners.values()].map((listener) => listener.drain())
      await abortable(Promise.all([server.drain(), ...announced]), enough.signal)
    } catch (error) {
      if (!enough.signal.aborted) throw error
      logger.log('warn', 'calls were still running at the drain deadline', { calls: server.active })
      server.abort(new MicroError('unavailable', 'the server has stopped'))
    } finally {
      clearTimeout(timer)
    }
  }

  /** As for calls: handlers of messages are given the same time, and cancelled when it is over. */
  const drainSubscriptions = async (): Promise<void> => {
    const enough = new AbortController()
    const timer = setTimeout(() => enough.abort(), settings.drain)
    try {
      await subscriptions.close({ signal: enough.signal })
    } catch (error) {
      if (!enough.signal.aborted) throw error
      logger.log('warn', 'messages were still being handled at the drain deadline')
    } finally {
      clearTimeout(timer)
    }
  }

  const stopSteps = async (): Promise<void> => {
    const errors: unknown[] = []
    const attempt = async (hook: (() => Promise<void> | void) | undefined): Promise<void> => {
      try {
        await hook?.()
      } catch (error) {
        errors.push(error)
      }
    }
    await attempt(options.hooks?.beforeStop)
    errors.push(...(await undo.rollBack()))
    await attempt(options.hooks?.afterStop)
    forgetSignals()
    state = 'stopped'
    if (errors.length === 1) throw errors[0]
    if (errors.length > 1)
      throw new AggregateError(
        errors,
        `${errors.length} parts of service "${options.name}" did not stop well`,
      )
  }

  let forgetSignals = (): void => undefined

  const service: Service<C> = {
    name: options.name,
    version: options.version ?? '0.0.0',
    id,
    components: (options.components ?? {}) as C,
    logger,
    publish: settings.messaging.publish,
    publishAll: settings.messaging.publishAll,
    subscribe: subscriptions.subscribe,
    subscribeBatch: subscriptions.subscribeBatch,
    get state() {
      return state
    },
    get nodes() {
      return nodes
    },
    handle(definition, handlers, handleOptions) {
      if (state !== 'new') {
        throw new MicroError(
          'failed_precondition',
          `service "${options.name}" has started: call handle before start`,
        )
      }
      requireCallers(options, definition)
      server.handle(definition, handlers, handleOptions)
      return service
    },
    client: (definition, clientOptions) => client.client(definition, clientOptions),
    tune: (tuning) => tuneParts({ client, server, logger }, tuning),
    start: (startOptions) =>
      runInRoot(async () => {
        if (state !== 'new') {
          throw new MicroError(
            'failed_precondition',
            `service "${options.name}" is ${state}: a service starts once`,
          )
        }
        state = 'starting'
        try {
          await startSteps(startOptions?.signal)
        } catch (error) {
          for (const failure of await undo.rollBack()) {
            logger.log('warn', 'undoing a failed start failed', { error: failure })
          }
          state = 'stopped'
          stopped.reject(error)
          throw error
        }
        state = 'started'
        if (options.shutdown?.signals !== false) forgetSignals = stopOnSignal(service)
        logger.log('info', 'started', {
          node: id,
          endpoints: [...listeners.values()].map(({ url }) => url),
        })
      }),
    stop() {
      if (state === 'new') {
        state = 'stopped'
        stopping = client.close()
      }
      if (state === 'starting') {
        return Promise.reject(
          new MicroError(
            'failed_precondition',
            `service "${options.name}" is starting: abort start instead`,
          ),
        )
      }
      if (stopping === undefined && state === 'started') {
        state = 'stopping'
        stopping = runInRoot(stopSteps)
        stopping.then(stopped.resolve, stopped.reject)
      }
      return stopping ?? Promise.resolve()
    },
    async run(runOptions) {
      await service.start(runOptions)
      await stopped.promise
    },
    live: () => state !== 'stopped',
    ready: () => server.receiver.ready,
    health() {
      const components: Record<string, Health> = {}
      for (const [label, component] of settings.owned) components[label] = component.health()
      if (registrar !== undefined) components['registration'] = registrar.health()
      const statuses = Object.values(components).map(({ status }) => status)
      const worst = statuses.includes('down')
        ? 'down'
        : statuses.includes('degraded')
          ? 'degraded'
          : 'up'
      return { status: state === 'started' ? worst : 'down', components }
    },
    [Symbol.asyncDispose]: () => service.stop(),
  }
  return service
}
