import type { Registry, RegistryEvent, RegistryWatcher } from '@micro/core/registry'

type Watch = Parameters<Registry['watch']>[0]

/** What a router over a registry needs of one, told by a generator. */
export function watching(
  name: string,
  tell: (service: string, signal: AbortSignal) => AsyncGenerator<RegistryEvent>,
): Pick<Registry, 'name' | 'watch'> {
  return {
    name,
    async watch(options: Watch = {}): Promise<RegistryWatcher> {
      const ending = new AbortController()
      const { service = '', signal } = options
      const either = signal === undefined ? ending.signal : AbortSignal.any([signal, ending.signal])
      const events = tell(service, either)
      const end = async () => {
        ending.abort()
        return { done: true as const, value: undefined }
      }
      const watcher: RegistryWatcher = {
        next: () => events.next(),
        return: end,
        async [Symbol.asyncDispose]() {
          await end()
        },
        [Symbol.asyncIterator]: () => watcher,
      }
      return watcher
    },
  }
}
