# `make help` lists what there is. The logic lives in Tests/setup.sh and Tests/run.py.
.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help setup build run test soak bench-smoke format clean

help: ## This list
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' Makefile | expand -t 20

setup: ## Install what building and testing need, only what is missing
	@Tests/setup.sh

build: ## Build .build/release/pgweir
	swift build -c release --product pgweir

run: setup build ## A throwaway PostgreSQL with sample data, and pgweir in front of it
	.build/release/pgweir demo

test: setup build ## Unit tests, then integration tests; the last line says how many passed
	@python3 Tests/run.py

SOAK_SECONDS ?= 600
soak: setup build ## Random messages, with pgweir and without, for SOAK_SECONDS (600)
	@DIFFERENTIAL_SECONDS=$(SOAK_SECONDS) .venv/bin/pytest -s -k random \
		Tests/Integration/test_differential.py

bench-smoke: setup build ## CPU and throughput beside PgBouncer, in less than a minute
	@.venv/bin/python Benchmarks/smoke.py

format: ## Format the Swift sources in place
	swift format --in-place --recursive --parallel Package.swift Sources Tests

clean: ## Remove what was built
	rm -rf .build .venv
