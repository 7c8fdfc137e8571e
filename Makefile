# `make help` lists what there is. The logic lives in Tests/setup.sh and Tests/run.py.
.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help setup build run tools test soak bench bench-smoke bench-setup format clean

help: ## This list
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' Makefile | expand -t 20

setup: ## Install what building and testing need, only what is missing
	@Tests/setup.sh

build: ## Build .build/release/pgweir
	swift build -c release --product pgweir

run: setup build ## A throwaway PostgreSQL with sample data, and pgweir in front of it
	.build/release/pgweir demo

test: setup build tools ## Unit tests, then integration tests; the last line says how many passed
	@python3 Tests/run.py

SOAK_SECONDS ?= 600
soak: setup build ## Random messages, with pgweir and without, for SOAK_SECONDS (600)
	@DIFFERENTIAL_SECONDS=$(SOAK_SECONDS) .venv/bin/pytest -s -k random \
		Tests/Integration/test_differential.py

BENCH_TOOLS := $(addprefix .build/bench/, \
	null_backend load relay_epoll relay_uring patient_enter.so)
BENCH_CC = $(or $(shell command -v cc || command -v clang),cc)
BENCH_FLAGS := -O2 -Wall -Wextra -Werror -D_GNU_SOURCE

.build/bench/%.so: Benchmarks/tools/%.c
	@mkdir -p $(@D)
	$(BENCH_CC) $(BENCH_FLAGS) -shared -fPIC -o $@ $<

.build/bench/%: Benchmarks/tools/%.c Benchmarks/tools/sockets.h Benchmarks/tools/relay.h
	@mkdir -p $(@D)
	$(BENCH_CC) $(BENCH_FLAGS) -o $@ $< -luring -lssl -lcrypto -lpthread

tools: $(BENCH_TOOLS) ## Build what tests of costs and benchmarks run beside pgweir
	swift build -c release --product micro

bench-setup:
	@Tests/setup.sh openssl linux-perf

bench: bench-setup build $(BENCH_TOOLS) ## Everything beside PgBouncer, 15 minutes: Docs/Benchmarks.md
	@BENCH_COMMIT=$(if $(PGWEIR_BINARY),,$$(git describe --always --abbrev=10 --dirty=+)) \
		.venv/bin/python Benchmarks/bench.py $(BENCH)

bench-smoke: setup build $(BENCH_TOOLS) ## The same in less than a minute, to look at
	@.venv/bin/python Benchmarks/bench.py --quick $(BENCH)

format: ## Format the Swift sources in place
	swift format --in-place --recursive --parallel Package.swift \
		Sources Tests Benchmarks

clean: ## Remove what was built
	rm -rf .build .venv
