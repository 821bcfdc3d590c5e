package runnerd

func Main() int { return 0 }
