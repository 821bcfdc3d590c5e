//go:build !windows

package admit

const foreignPath = `C:\data`
