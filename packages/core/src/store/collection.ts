import type { BoundCodec, Codec } from '../codec/codec.ts'
import { jsonCodec } from '../codec/json-codec.ts'
import type { AbortOptions } from '../component/component.ts'
import { backoff, sleep } from '../component/timing.ts'
import { MicroError } from '../errors/micro-error.ts'
import type { InferOutput, StandardSchema } from '../schema/standard-schema.ts'
import { validate } from '../schema/validate.ts'
import type {
  DeleteOptions,
  Store,
  StoreListOptions,
  StoreRecord,
  Version,
  WriteOptions,
} from './store.ts'

export interface CollectionOptions<S extends StandardSchema> {
  /** Its records are kept under `<name>/`. */
  readonly name: string
  /** Checked at every write, and again at every read: other versions may have written. */
  readonly schema: S
  /** @default JSON */
  readonly codec?: Codec
}

export interface Item<T> extends Omit<StoreRecord, 'key' | 'value'> {
  readonly id: string
  readonly value: T
}

export interface UpdateOptions extends AbortOptions {
  /** How often a change that met another is tried again. @default 10 */
  readonly retries?: number
}

/** Typed records of one kind. */
export interface Collection<T> {
  /** @throws `data_loss` naming the record, if its bytes are none of this schema. */
  get(id: string, options?: AbortOptions): Promise<Item<T> | undefined>
  /** @throws `invalid_argument` naming every failing path. */
  put(id: string, value: T, options?: WriteOptions): Promise<Version>
  delete(id: string, options?: DeleteOptions): Promise<boolean>
  /** `prefix` and `after` are of ids. */
  list(options?: Omit<StoreListOptions, 'keysOnly'>): AsyncIterable<Item<T>>
  /**
   * Reads, changes and writes back, again if another writer came between. `change` gets `undefined`
   * for a record that is not there; what it returns is written, `undefined` leaves all as it is. An
   * expiry stays.
   *
   * @throws `aborted` when other writers keep coming between.
   */
  update(
    id: string,
    change: (value: T | undefined) => T | undefined | Promise<T | undefined>,
    options?: UpdateOptions,
  ): Promise<T | undefined>
}

/** A typed view of part of a store. */
export function collection<S extends StandardSchema>(
  store: Store,
  options: CollectionOptions<S>,
): Collection<InferOutput<S>> {
  type T = InferOutput<S>
  const { name, schema } = options
  const codec = bind(options.codec ?? jsonCodec(), name)
  if (!/^[A-Za-z0-9_.-]{1,64}$/.test(name)) {
    throw new MicroError(
      'invalid_argument',
      `name: ${JSON.stringify(name)}; use 1 to 64 letters, digits, "_", "." and "-"`,
    )
  }
  const root = `${name}/`

  const toItem = async (record: StoreRecord): Promise<Item<T>> => {
    const { key, value, ...rest } = record
    const subject = `record ${JSON.stringify(key)} of store "${store.name}"`
    try {
      const decoded = codec.decode(value)
      const checked = await validate(schema, decoded, 'data_loss', subject)
      return { ...rest, id: key.slice(root.length), value: checked as T }
    } catch (error) {
      if (MicroError.is(error, 'data_loss')) throw error
      const why = MicroError.is(error) ? error.detail : String(error)
      throw new MicroError('data_loss', `${subject} does not decode: ${why}`, { cause: error })
    }
  }
  const toBytes = async (value: T): Promise<Uint8Array> =>
    codec.encode(await validate(schema, value, 'invalid_argument', `value of ${name}`))
  const get = async (id: string, getOptions?: AbortOptions): Promise<Item<T> | undefined> => {
    const record = await store.read(root + id, getOptions)
    return record === undefined ? undefined : toItem(record)
  }

  return {
    get,
    put: async (id, value, putOptions) => store.write(root + id, await toBytes(value), putOptions),
    delete: (id, deleteOptions) => store.delete(root + id, deleteOptions),
    async *list(listOptions = {}) {
      const { prefix = '', after } = listOptions
      const below = {
        ...listOptions,
        prefix: root + prefix,
        ...(after === undefined ? {} : { after: root + after }),
      }
      for await (const record of store.list(below)) yield toItem(record)
    },
    async update(id, change, updateOptions = {}) {
      const { retries = 10, signal } = updateOptions
      for (let attempt = 0; ; attempt++) {
        const found = await get(id, { signal })
        const changed = await change(found?.value)
        if (changed === undefined) return found?.value
        try {
          await store.write(root + id, await toBytes(changed), { ...keepFrom(found), signal })
          return changed
        } catch (error) {
          const met = MicroError.is(error, 'aborted') || MicroError.is(error, 'already_exists')
          if (!met || attempt >= retries) throw error
          await sleep(backoff(attempt, { base: 2, max: 200 }), { signal })
        }
      }
    },
  }
}

function keepFrom(found: Item<unknown> | undefined): WriteOptions {
  if (found === undefined) return { ifAbsent: true }
  const { version, metadata, expiresAt } = found
  const ttl = expiresAt === undefined ? undefined : Math.max(1, expiresAt - Date.now())
  return { ifVersion: version, metadata, ttl }
}

function bind(codec: Codec, name: string): BoundCodec {
  const bound = codec.bind({ name }, codec.contentTypes[0] as string)
  if (bound !== undefined) return bound
  throw new MicroError('invalid_argument', `codec: "${codec.name}" cannot carry ${name}`)
}
