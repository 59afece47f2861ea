export { createLeaseKeeper, type LeaseKeeper, type LeaseKeeperOptions } from './lease-keeper.ts'
export { type MemorySyncOptions, memorySync } from './memory-sync.ts'
export { MemorySyncBackend } from './memory-sync-backend.ts'
export type {
  CampaignOptions,
  Election,
  Leader,
  LeaderChange,
  Leadership,
  Lock,
  LockOptions,
  Sync,
  SyncSupports,
} from './sync.ts'
export { checkCampaign, checkLock, checkSyncKey, defaultTtl, heldByAnother } from './sync-rules.ts'
