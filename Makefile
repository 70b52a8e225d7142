# Two targets are all that anyone has to type: `make demo` and `make test`. Both install what they need.

LUA_VERSION ?= $(shell tools/lua-version)
LUA_FEATURE := lua$(subst .,,$(LUA_VERSION))
CARGO ?= cargo
INSTALL ?= install -p
PREFIX ?= /usr/local
PLUGINDIR ?= $(PREFIX)/lib/prosody/modules
LIBRARIES := muc_cloud_notify.so web_push_app_server.so

.PHONY: help build install demo test fuzz simulate simulate-shards mutants bench lint audit faults clean

help: ## Say what there is to make
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "%-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: ## Build the libraries for the Lua that Prosody runs on, where the modules find them
	@tools/provision build
	@case "$(LUA_VERSION)" in 5.3|5.4) ;; *) echo "Prosody has to run on Lua 5.4 or 5.3, not on $(LUA_VERSION)" >&2; exit 1;; esac
	@tools/without-paths $(CARGO) build --release --locked --package muc-cloud-notify --package web-push-app-server --features $(LUA_FEATURE)
	@for library in $(LIBRARIES); do $(INSTALL) -m755 target/release/lib$$library $$library || exit 1; done

install: ## Install the modules, once they are built, where a packaged Prosody looks for them
	@for library in $(LIBRARIES); do \
		test -e $$library || { echo "There is no $$library yet: run 'make build' first" >&2; exit 1; }; \
	done
	@for module in muc_cloud_notify muc_undelivered web_push_app_server; do \
		folder=$(DESTDIR)$(PLUGINDIR)/mod_$$module; \
		$(INSTALL) -d $$folder/lua/shared $$folder/lua/$$module && \
		$(INSTALL) -m644 mod_$$module.lua $$folder/ && \
		$(INSTALL) -m644 lua/shared/*.lua $$folder/lua/shared/ && \
		$(INSTALL) -m644 lua/$$module/*.lua $$folder/lua/$$module/ || exit 1; \
	done
	$(INSTALL) -m644 mod_keep_database_connections.lua $(DESTDIR)$(PLUGINDIR)/
	$(INSTALL) -d $(DESTDIR)$(PLUGINDIR)/mod_web_push_app_server/web_push
	$(INSTALL) -m644 web_push/*.js $(DESTDIR)$(PLUGINDIR)/mod_web_push_app_server/web_push/
	@for library in $(LIBRARIES); do $(INSTALL) -m755 $$library $(DESTDIR)$(PLUGINDIR)/mod_$${library%.so}/ || exit 1; done

# By default a page where somebody is watching, and a story where nobody is.
demo: ## Show in a browser how members who are away get a push (DEMO=story: as text here; KEEP=1: and stay up)
	@demo=$(DEMO); test -n "$$demo" || { test -t 1 && demo=page || demo=story; }; \
	tools/provision $$demo && $(MAKE) --no-print-directory build LUA_VERSION=5.4 && DEMO=$$demo KEEP=$(KEEP) exec tools/demo

test: ## Run everything that is checked, and sum it up
	@tools/provision test
	@tools/test

fuzz: ## Look for inputs that do harm, for hours (FUZZ_SECONDS=n: each target; TARGET=name: one of them)
	@FUZZ_SECONDS=$(FUZZ_SECONDS) TARGET=$(TARGET) KEEP=$(KEEP) tools/fuzz

simulate: ## Look for courses of events that do harm, for minutes (STEPS=n: how many steps; SEED=n: what a seed finds)
	@STEPS=$(STEPS) SEED=$(SEED) STEPS_EACH=$(STEPS_EACH) JOBS=$(JOBS) tools/simulate

simulate-shards: ## The same with many shards and their app servers, at once (SEED=n; SHARDS=n; DEVICES=n: in each)
	@SEED=$(SEED) SHARDS=$(SHARDS) DEVICES=$(DEVICES) tools/simulate-shards

mutants: ## Break the engine in many ways, for some minutes: tests have to fail (ONLY=text: some; ALL=1: find all tests; LUA=1: more)
	@ONLY="$(ONLY)" ALL=$(ALL) LUA=$(LUA) tools/mutants

# What the quick form finds is kept apart from what the other one does.
bench: export CRITERION_HOME := $(CURDIR)/target/criterion$(if $(filter-out 0,$(QUICK)),-quick)
bench: ## Measure what a push costs (QUICK=1: only show that the benchmark works; ROWS=name: a part)
	@tools/provision bench
	@$(MAKE) --no-print-directory build LUA_VERSION=5.4
	QUICK=$(QUICK) tools/without-paths $(CARGO) bench --locked --package muc-cloud-notify-core --bench engine
	QUICK=$(QUICK) tools/without-paths $(CARGO) run --release --locked --package muc-cloud-notify-core --example bytes_per_device
	@QUICK=$(QUICK) tools/bench

lint: ## Check the form of the Rust, Lua and JavaScript code
	@tools/provision test
	@tools/test lint

audit: ## Check the licences, versions and known faults of the crates that are used
	@CARGO=$(CARGO) tools/audit

faults: ## Build the library that fails on demand, for the specs
	$(CARGO) build --profile faults --locked --package muc-cloud-notify --features lua54,faults
	$(INSTALL) -d .test/faults
	$(INSTALL) -m755 target/faults/libmuc_cloud_notify.so .test/faults/muc_cloud_notify.so

clean: ## Remove what was built and unpacked
	rm -rf target .test demo/page/node_modules spec/browser/node_modules $(LIBRARIES)
