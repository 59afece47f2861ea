export { consoleLogger, type ConsoleLoggerOptions } from './console-logger.ts'
export { type LogFields, type Logger, type LogLevel, logLevels } from './logger.ts'
export { type LogLine, memoryLogger, type MemoryLogger } from './memory-logger.ts'
