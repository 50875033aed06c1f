package config

import (
	"time"

	"github.com/nodewatch/nodewatch/pkg/report/alertmanager"
	"github.com/nodewatch/nodewatch/pkg/report/cachet"
	"github.com/nodewatch/nodewatch/pkg/report/exec"
	"github.com/nodewatch/nodewatch/pkg/report/heartbeat"
	"github.com/nodewatch/nodewatch/pkg/report/icinga"
	"github.com/nodewatch/nodewatch/pkg/report/instatus"
	"github.com/nodewatch/nodewatch/pkg/report/native"
	"github.com/nodewatch/nodewatch/pkg/report/pagerduty"
	"github.com/nodewatch/nodewatch/pkg/report/statuspage"
	"github.com/nodewatch/nodewatch/pkg/report/webhook"
)

// A backend describes the settings of one kind of reporter in the file.
type backend struct {
	name     string
	about    string
	settings func() any // returns a pointer to its Config with its defaults
	every    time.Duration
	deadline time.Duration
	silenced bool // whether it also receives findings that do not page
}

// backends lists all kinds of reporters. This list is the only place that registers
// them.
func backends() []backend {
	return []backend{
		{"native", "nodewatch's own protocol: complete states, without losing transitions", of(native.Default), 30 * time.Second,
			10 * time.Second, true},
		{"alertmanager", "Prometheus Alertmanager", of(alertmanager.Default), 30 * time.Second, 10 * time.Second, false},
		{"webhook", "chats, on-call services and programs, by preset or template", of(webhook.Default), 30 * time.Second,
			10 * time.Second, false},
		{"exec", "a program of your own", of(exec.Default), 30 * time.Second, 20 * time.Second, false},
		{"heartbeat", "a dead man's switch: Healthchecks, Uptime Kuma and others, by preset", of(heartbeat.Default), 30 * time.Second,
			10 * time.Second, false},
		{"pagerduty", "PagerDuty, Events API v2", of(pagerduty.Default), time.Minute, 20 * time.Second, false},
		{"icinga", "Icinga 2, passive results", of(icinga.Default), 30 * time.Second, 10 * time.Second, true},
		{"statuspage", "Atlassian Statuspage", of(statuspage.Default), time.Minute, 20 * time.Second, true},
		{"cachet", "Cachet 3 and 2", of(cachet.Default), time.Minute, 20 * time.Second, true},
		{"instatus", "Instatus", of(instatus.Default), time.Minute, 20 * time.Second, true},
	}
}

// of returns a pointer to a backend's defaults.
func of[T any](defaults func() T) func() any {
	return func() any {
		c := defaults()
		return &c
	}
}
