import { Etcd3, type IOptions, type KVClient, type LeaseClient, type WatchClient } from 'etcd3'
import type { EtcdSettings } from './options.ts'

/** The parts of an `Etcd3` of the package `etcd3` that are used: the bare requests and streams. */
export interface EtcdClient {
  readonly kv: Pick<KVClient, 'range' | 'put' | 'txn' | 'deleteRange'>
  readonly leaseClient: Pick<LeaseClient, 'leaseGrant' | 'leaseRevoke' | 'leaseKeepAlive'>
  readonly watchClient: Pick<WatchClient, 'watch'>
}

/** Options that etcd3 takes with a request: those of a call of gRPC. */
export type EtcdCallOptions = NonNullable<Parameters<EtcdClient['kv']['range']>[1]>

type FaultHandling = NonNullable<IOptions['faultHandling']>
type Policy = NonNullable<FaultHandling['global']>

/**
 * A client of one host, with neither retries nor circuit breakers. etcd3 would send a transaction again
 * whose answer got lost, and report the conflict with itself; and it never fails over in a watch. It
 * does not log in: etcd3 would do so once for each request that finds its token void.
 */
export function openClient(settings: EtcdSettings, host: string): Etcd3 {
  const { tls, maxMessageSize } = settings
  return new Etcd3({
    hosts: host,
    ...(tls === undefined ? {} : { credentials: credentialsOf(tls) }),
    faultHandling: { host: () => once, global: once },
    grpcOptions: {
      'grpc.max_receive_message_length': maxMessageSize,
      // grpc-js would wait up to two minutes before it tries a server again that was down.
      'grpc.initial_reconnect_backoff_ms': 100,
      'grpc.max_reconnect_backoff_ms': 1_000,
      // Finds connections that are dead without a word. etcd allows a ping each five seconds.
      'grpc.keepalive_time_ms': 6_000,
      'grpc.keepalive_timeout_ms': 3_000,
    },
  })
}

const silent: Policy['onFailure'] = () => ({ dispose: () => undefined })

/** Runs what it is given, once, and adds nothing. */
const once: Policy = {
  _altReturn: undefined as never,
  onSuccess: silent as unknown as Policy['onSuccess'],
  onFailure: silent,
  execute: async (work) => work({ signal: new AbortController().signal }),
}

function credentialsOf({ ca, cert, key }: NonNullable<EtcdSettings['tls']>) {
  const bytes = (pem: string | Uint8Array | undefined): Buffer | undefined =>
    pem === undefined ? undefined : Buffer.from(pem)
  // etcd3 declares the authorities as required; grpc-js takes Node's where there are none.
  return {
    rootCertificate: bytes(ca),
    privateKey: bytes(key),
    certChain: bytes(cert),
  } as NonNullable<IOptions['credentials']>
}
