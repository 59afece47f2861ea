import { type Code, codeToNumber } from '@micro/core/errors'
import type { CallReceiver, ReceivedMethod, ServerStream } from '@micro/core/transport'
import type { Settings } from '../options.ts'
import { healthService } from '../wire/health-messages.ts'
import { type Field, readFields, writeField } from '../wire/protobuf.ts'
import { type Descriptors, readDescriptors } from './descriptors.ts'
import type { Target } from './incoming.ts'
import { healthDescriptors, reflectionDescriptors } from './own-descriptors.ts'

const packages = ['grpc.reflection.v1', 'grpc.reflection.v1alpha'] as const

/** `grpc.reflection`, of both generations. Source: grpc/grpc-proto, grpc/reflection/v1/reflection.proto. */
export function createReflection(receiver: CallReceiver, settings: Settings): Target[] {
  const { reflection, health } = settings
  if (reflection === false) return []
  const own = [reflectionDescriptors, ...(health ? [healthDescriptors] : [])]
  const sets = [
    ...(reflection === true ? [] : reflection),
    ...own.map((set) => Buffer.from(set, 'base64')),
  ]
  // The options have been checked.
  const descriptors = readDescriptors(sets) as Descriptors
  const names = (): string[] => {
    const listed = [...(receiver.methods?.() ?? [])].map(({ service }) => service)
    const ours = packages.map((one) => `${one}.ServerReflection`)
    return [...new Set([...listed, ...ours, ...(health ? [healthService] : [])])].sort()
  }
  const stream = async (_head: unknown, requests: ServerStream): Promise<undefined> => {
    for await (const request of requests) {
      await requests.write(answer(request, descriptors, names))
    }
  }
  return packages.map((one) => ({
    method: methodOf(`${one}.ServerReflection`),
    receiver: { unary: () => ({ body: new Uint8Array() }), stream },
  }))
}

function answer(request: Uint8Array, descriptors: Descriptors, names: () => string[]): Buffer {
  const fields = readFields(request)
  const asked = fields?.findLast(({ number }) => number >= 3 && number <= 7)
  const response =
    asked === undefined
      ? failure('invalid_argument', 'malformed ServerReflectionRequest')
      : respond(asked, descriptors, names)
  const host = fields?.find(({ number }) => number === 1)?.bytes ?? Buffer.alloc(0)
  return Buffer.concat([writeField(1, host), writeField(2, request), response])
}

function respond(
  { number, bytes }: Field,
  descriptors: Descriptors,
  names: () => string[],
): Buffer {
  const name = bytes.toString()
  switch (number) {
    case 3:
      return files(descriptors, descriptors.byName(name), `file "${name}"`)
    case 4:
      return files(descriptors, descriptors.bySymbol(name), `symbol "${name}"`)
    case 5: {
      const fields = readFields(bytes) ?? []
      const type = fields.find((one) => one.number === 1)?.bytes.toString() ?? ''
      const extension = fields.find((one) => one.number === 2)?.value ?? 0
      const file = descriptors.byExtension(type, extension)
      return files(descriptors, file, `extension ${extension} of "${type}"`)
    }
    case 6: {
      if (descriptors.bySymbol(name) === undefined) return missing(`type "${name}"`)
      const numbers = descriptors.extensionsOf(name).map((one) => writeField(2, one))
      return writeField(5, Buffer.concat([writeField(1, name), ...numbers]))
    }
    default:
      return writeField(6, Buffer.concat(names().map((one) => writeField(1, writeField(1, one)))))
  }
}

function files(descriptors: Descriptors, file: Uint8Array | undefined, what: string): Buffer {
  if (file === undefined) return missing(what)
  const all = descriptors.withImports(file).map((one) => writeField(1, one))
  return writeField(4, Buffer.concat(all))
}

function missing(what: string): Buffer {
  return failure('not_found', `no descriptor of ${what.slice(0, 200)}`)
}

function failure(code: Code, detail: string): Buffer {
  return writeField(7, Buffer.concat([writeField(1, codeToNumber(code)), writeField(2, detail)]))
}

function methodOf(service: string): ReceivedMethod {
  return {
    service,
    name: 'ServerReflectionInfo',
    kind: 'bidi_stream',
    idempotency: 'no_side_effects',
    contentTypes: ['application/proto'],
  }
}
