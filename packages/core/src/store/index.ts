export {
  type Collection,
  type CollectionOptions,
  collection,
  type Item,
  type UpdateOptions,
} from './collection.ts'
export { type MemoryStoreOptions, memoryStore } from './memory-store.ts'
export { MemoryStoreBackend, type MemoryStoreLimits } from './memory-store-backend.ts'
export { type NamespacedStoreOptions, namespacedStore } from './namespaced-store.ts'
export type {
  Condition,
  DeleteOptions,
  Store,
  StoreEvent,
  StoreListOptions,
  StoreOperation,
  StoreRecord,
  StoreSupports,
  Version,
  WriteFields,
  WriteOptions,
} from './store.ts'
export { createStoreMirror, type StoreMirror, type StoreMirrorOptions } from './store-mirror.ts'
export {
  alreadyThere,
  checkKey,
  checkList,
  checkOperations,
  checkWrite,
  compareKeys,
  conflict,
  storeLimits,
} from './store-rules.ts'
