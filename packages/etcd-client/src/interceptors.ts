import type { EtcdCallOptions } from './client.ts'

type Interceptor = NonNullable<EtcdCallOptions['interceptors']>[number]
type Call = ReturnType<Interceptor>
type Listener = Parameters<Call['start']>[1]

/** A member that is cut off from the others refuses, instead of being silent until it times out. */
export const requireLeader: Interceptor = (options, nextCall) => {
  const call = nextCall(options)
  const start = call.start.bind(call)
  call.start = (metadata, listener) => {
    const own = metadata.clone()
    own.set('hasleader', 'true')
    start(own, listener)
  }
  return call as Call
}

/** Sends a token along, and tells when etcd says that it is void. */
export function withToken(token: string, onVoid: () => void): Interceptor {
  return (options, nextCall) => {
    const call = nextCall(options)
    const start = call.start.bind(call)
    call.start = (metadata, listener) => {
      const own = metadata.clone()
      own.set('token', token)
      start(own, watchStatus(listener as Listener, onVoid))
    }
    return call as Call
  }
}

const isVoid = /invalid auth token|auth store is old|revision in header is old/

function watchStatus(listener: Listener, onVoid: () => void): Listener {
  return {
    onReceiveMetadata: (metadata) => listener?.onReceiveMetadata?.(metadata),
    onReceiveMessage: (message: unknown) => listener?.onReceiveMessage?.(message),
    onReceiveStatus(status) {
      if (isVoid.test(status.details)) onVoid()
      // By these words etcd3 would do the same again, with the same token and without end.
      const details = status.details.replace('etcdserver: invalid auth token', 'invalid auth token')
      listener?.onReceiveStatus?.({ ...status, details })
    },
  }
}
