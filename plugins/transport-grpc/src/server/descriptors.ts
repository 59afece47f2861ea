import { type Field, readFields } from '../wire/protobuf.ts'

/** Descriptors as reflection hands them out: as they came, found by what is in them. */
export interface Descriptors {
  readonly services: readonly string[]
  byName(file: string): Uint8Array | undefined
  /** The file that defines a service, method, message, field, enum, value or extension. */
  bySymbol(symbol: string): Uint8Array | undefined
  byExtension(type: string, number: number): Uint8Array | undefined
  extensionsOf(type: string): readonly number[]
  /** A file and all that it imports, each once. */
  withImports(file: Uint8Array): readonly Uint8Array[]
}

/** Reads `FileDescriptorSet`s; `undefined` if one is none. Source: google/protobuf/descriptor.proto. */
export function readDescriptors(sets: readonly Uint8Array[]): Descriptors | undefined {
  const files = new Map<string, Uint8Array>()
  const imports = new Map<Uint8Array, readonly string[]>()
  const symbols = new Map<string, Uint8Array>()
  const extensions = new Map<string, Map<number, Uint8Array>>()
  const services: string[] = []

  const addExtensions = (list: readonly Field[], scope: string, file: Uint8Array): void => {
    for (const { bytes } of list) {
      const fields = readFields(bytes) ?? []
      const type = text(fields, 2).replace(/^\./, '')
      const numbers = extensions.get(type) ?? new Map<number, Uint8Array>()
      extensions.set(type, numbers.set(fields.find((one) => one.number === 3)?.value ?? 0, file))
      symbols.set(join(scope, text(fields, 1)), file)
    }
  }
  const addNamed = (list: readonly Field[], scope: string, file: Uint8Array, parts: number) => {
    for (const { bytes } of list) {
      const fields = readFields(bytes) ?? []
      const name = join(scope, text(fields, 1))
      symbols.set(name, file)
      for (const part of all(fields, parts)) {
        symbols.set(join(name, text(readFields(part.bytes) ?? [], 1)), file)
      }
    }
  }
  const addMessages = (list: readonly Field[], scope: string, file: Uint8Array): void => {
    addNamed(list, scope, file, 2)
    for (const { bytes } of list) {
      const fields = readFields(bytes) ?? []
      const name = join(scope, text(fields, 1))
      addMessages(all(fields, 3), name, file)
      addNamed(all(fields, 4), name, file, 2)
      addExtensions(all(fields, 6), name, file)
    }
  }

  for (const set of sets) {
    const found = readFields(set)
    if (found === undefined) return undefined
    for (const { bytes: file } of all(found, 1)) {
      const fields = readFields(file)
      if (fields === undefined) return undefined
      const name = text(fields, 1)
      if (name === '') return undefined
      // Sets that overlap bring what they import more than once.
      if (files.has(name)) continue
      const scope = text(fields, 2)
      files.set(name, file)
      imports.set(
        file,
        all(fields, 3).map(({ bytes }) => bytes.toString()),
      )
      addMessages(all(fields, 4), scope, file)
      addNamed(all(fields, 5), scope, file, 2)
      addNamed(all(fields, 6), scope, file, 2)
      addExtensions(all(fields, 7), scope, file)
      for (const { bytes } of all(fields, 6)) {
        services.push(join(scope, text(readFields(bytes) ?? [], 1)))
      }
    }
  }

  return {
    services,
    byName: (file) => files.get(file),
    bySymbol: (symbol) => symbols.get(symbol),
    byExtension: (type, number) => extensions.get(type)?.get(number),
    extensionsOf: (type) => [...(extensions.get(type)?.keys() ?? [])],
    withImports(file) {
      const found = new Set([file])
      // What is added meanwhile is visited, too.
      for (const one of found) {
        for (const name of imports.get(one) ?? []) {
          const imported = files.get(name)
          if (imported !== undefined) found.add(imported)
        }
      }
      return [...found]
    },
  }
}

function all(fields: readonly Field[], number: number): Field[] {
  return fields.filter((field) => field.number === number)
}

function text(fields: readonly Field[], number: number): string {
  return fields.find((field) => field.number === number)?.bytes.toString() ?? ''
}

function join(scope: string, name: string): string {
  return scope === '' ? name : `${scope}.${name}`
}
