package server

func maxConns() int { return MaxConns }
