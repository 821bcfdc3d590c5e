;; function: the name "P" is there twice
(component (type (func (param "p" u8) (param "P" u8))))
