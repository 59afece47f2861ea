import { type DocumentKind, kindOfName } from '@micro/config-documents'
import { MicroError } from '@micro/core/errors'
import { type SchemaView, type StandardSchema, schemaView } from '@micro/core/schema'
import { checkRange, type EtcdOptions, type EtcdSettings, settleEtcd } from '@micro/etcd-client'

export interface EtcdSourceOptions extends EtcdOptions {
  /** The keys below it are the config: with `/config/shop`, `/config/shop/db/host` is `db.host`. */
  readonly prefix?: string
  /** One key that holds all of the config as a document. Give either this or `prefix`. */
  readonly key?: string
  /** What the document at `key` is written in. @default by the ending of the key, else `'json'` */
  readonly kind?: DocumentKind
  /** What values below `prefix` are: texts, or JSON each. @default 'text' */
  readonly values?: 'text' | 'json'
  /**
   * Tells types of texts, if it can be read as JSON Schema (Standard JSON Schema). @default all of them
   * are strings
   */
  readonly schema?: StandardSchema
  /** A document that is not there says nothing, instead of failing. @default false */
  readonly optional?: boolean
  /** Keys below `prefix` at most. @default 10000 */
  readonly maxKeys?: number
  /**
   * Milliseconds, more or less a fifth, between looks at all of it, which find what no watch told of.
   * @default 60000
   */
  readonly interval?: number
}

/** The keys below a prefix. It ends in a slash. */
export interface TreePlace {
  readonly prefix: string
  readonly values: 'text' | 'json'
  readonly view: SchemaView
  readonly maxKeys: number
}

export interface DocumentPlace {
  readonly key: string
  readonly kind: DocumentKind
  readonly optional: boolean
}

export interface Settings {
  readonly etcd: EtcdSettings
  readonly place: TreePlace | DocumentPlace
  readonly interval: number
}

const factory = 'etcdSource'
const ofTrees = ['values', 'schema', 'maxKeys'] as const
const ofDocuments = ['kind', 'optional'] as const

/** @throws `invalid_argument`, naming the option. */
export function settle(options: EtcdSourceOptions): Settings {
  const own = ['prefix', 'key', 'interval', ...ofTrees, ...ofDocuments]
  const etcd = settleEtcd(factory, options, own)
  if ((options.prefix === undefined) === (options.key === undefined)) {
    throw wrong('prefix', 'or key: give one of them')
  }
  return {
    etcd,
    place: options.key === undefined ? treeOf(options) : documentOf(options, options.key),
    interval: checkRange(factory, 'interval', options.interval ?? 60_000, 100, 86_400_000),
  }
}

function treeOf(options: EtcdSourceOptions): TreePlace {
  for (const name of ofDocuments) {
    if (options[name] !== undefined) throw wrong(name, 'is for option key; remove it')
  }
  const { values = 'text', schema, maxKeys = 10_000 } = options
  if (values !== 'text' && values !== 'json') {
    throw wrong('values', `is ${String(values)}; give 'text' or 'json'`)
  }
  if (values === 'json' && schema !== undefined) {
    throw wrong('schema', 'is for texts; remove it, JSON has types of its own')
  }
  return {
    prefix: `${checkName('prefix', options.prefix ?? '')}/`,
    values,
    view: schemaView(schema),
    maxKeys: checkRange(factory, 'maxKeys', maxKeys, 1, 1_000_000),
  }
}

function documentOf(options: EtcdSourceOptions, key: string): DocumentPlace {
  for (const name of ofTrees) {
    if (options[name] !== undefined) throw wrong(name, 'is for option prefix; remove it')
  }
  const { kind = kindOfName(key) ?? 'json', optional = false } = options
  if (!['json', 'yaml', 'toml'].includes(kind)) {
    throw wrong('kind', `is ${String(kind)}; give 'json', 'yaml' or 'toml'`)
  }
  if (typeof optional !== 'boolean') throw wrong('optional', 'is neither true nor false')
  return { key: checkName('key', key), kind, optional }
}

/** With or without a slash in front, as both are in use. */
function checkName(name: 'prefix' | 'key', value: string): string {
  const fits = typeof value === 'string' && value.length <= 512
  if (fits && /^\/?[A-Za-z0-9_.~-]+(?:\/[A-Za-z0-9_.~-]+)*$/.test(value)) return value
  throw wrong(
    name,
    `is ${JSON.stringify(value)}; use letters, digits, "_", ".", "~", "-", and "/" between them, at most 512`,
  )
}

function wrong(name: string, why: string): MicroError {
  return new MicroError('invalid_argument', `${factory} option ${name} ${why}`)
}
