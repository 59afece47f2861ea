import type { ChildProcess } from 'node:child_process'
import { MicroError } from '@micro/core/errors'
import type { Store } from '@micro/core/store'

type Answer = [id: number, error: Pick<MicroError, 'code' | 'detail'> | undefined, result: unknown]

/** The store of `serve-store.ts`: what a case of the suite needs of it to compete with one of this process. */
export function remoteStore(child: ChildProcess, local: Store): Store {
  const pending = new Map<number, (answer: Answer) => void>()
  let last = 0
  child.on('message', (answer: Answer) => {
    pending.get(answer[0])?.(answer)
    pending.delete(answer[0])
  })
  const call = (method: string, ...parameters: unknown[]): Promise<unknown> =>
    new Promise((resolve, reject) => {
      const id = ++last
      pending.set(id, ([, error, result]) => {
        if (error === undefined) resolve(result)
        else reject(new MicroError(error.code, error.detail))
      })
      child.send([id, method, parameters])
    })
  return {
    ...local,
    read: (key) => call('read', key) as ReturnType<Store['read']>,
    write: (key, value, options) =>
      call('write', key, value, options) as ReturnType<Store['write']>,
    delete: (key, options) => call('delete', key, options) as ReturnType<Store['delete']>,
  }
}
