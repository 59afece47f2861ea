import { transportConformance } from '@micro/conformance/transport'
import type { TlsSource } from '@micro/core/identity'
import { httpTransport } from '@micro/plugin-transport-http'
import { makeAuthority } from '@micro/test-services'

const maxMessageSize = 2 << 20

const authority = makeAuthority()
const material = { ...authority.issue('conformance'), ca: authority.cert }
/** Both sides show the same certificate, which does not change. */
const tls: TlsSource = { current: () => material, async *watch() {} }

transportConformance({
  name: 'http, as it comes',
  maxMessageSize,
  create: () => httpTransport({ maxMessageSize }),
})

transportConformance({
  name: 'http/1.1',
  maxMessageSize,
  bidi: false,
  create: () => httpTransport({ maxMessageSize, protocol: 'http1' }),
})

transportConformance({
  name: 'http/2',
  maxMessageSize,
  create: () => httpTransport({ maxMessageSize, protocol: 'http2' }),
})

transportConformance({
  name: 'http, compressed, with GET',
  maxMessageSize,
  create: () => httpTransport({ maxMessageSize, compressFrom: 1_024, useGet: true }),
})

transportConformance({
  name: 'https/1.1, mutual',
  maxMessageSize,
  bidi: false,
  create: () => httpTransport({ maxMessageSize, protocol: 'http1', tls }),
})

transportConformance({
  name: 'http/2 over TLS, mutual',
  maxMessageSize,
  create: () => httpTransport({ maxMessageSize, protocol: 'http2', tls }),
})
