import { defineConfig } from "ingot";
import { commerce } from "./pipelines/commerce/pipeline.ts";

export default defineConfig({ pipelines: [commerce] });
