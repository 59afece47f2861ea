import { codecConformance } from '@micro/conformance/codec'
import { bytesSamples, jsonSamples, textSamples } from './support/codecs.ts'

codecConformance(jsonSamples)
codecConformance(textSamples)
codecConformance(bytesSamples)
