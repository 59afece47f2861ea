import { transportConformance } from '@micro/conformance/transport'
import type { TlsSource } from '@micro/core/identity'
import { grpcTransport } from '@micro/plugin-transport-grpc'
import { makeAuthority } from '@micro/test-services'

const maxMessageSize = 2 << 20

const authority = makeAuthority()
const material = { ...authority.issue('conformance'), ca: authority.cert }
/** Both sides show the same certificate, which does not change. */
const tls: TlsSource = { current: () => material, async *watch() {} }

transportConformance({
  name: 'grpc',
  maxMessageSize,
  create: () => grpcTransport({ maxMessageSize }),
})

transportConformance({
  name: 'grpc over TLS, mutual',
  maxMessageSize,
  create: () => grpcTransport({ maxMessageSize, tls }),
})

transportConformance({
  name: 'grpc, compressed',
  maxMessageSize,
  create: () => grpcTransport({ maxMessageSize, compressFrom: 1_024 }),
})

transportConformance({
  name: 'grpc, as Micro for Go tells failures',
  maxMessageSize,
  create: () => grpcTransport({ maxMessageSize, dialect: 'micro-go' }),
})
