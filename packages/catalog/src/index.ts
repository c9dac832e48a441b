export * as Geometry from "./Geometry.ts"
