//go:build !race

package soaktest

const slackResident = slackBytes
